"""Files of the folder: blobs, permissions, fsync, errors of the disk."""
