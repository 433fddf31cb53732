"""Who may come in: keys, logins and signatures; requests of other sites, and connections that starve the server."""
