"""Parts that benches of the server and its clients share."""
