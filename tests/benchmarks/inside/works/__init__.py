"""What a measured process can be asked to do, one file each."""
