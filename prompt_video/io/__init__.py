"""What is read from and written to files and terminals, whatever it is about."""
