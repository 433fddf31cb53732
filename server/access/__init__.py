"""Access to the server: keys, logins, signatures; guards against other sites, and connections that starve it."""
