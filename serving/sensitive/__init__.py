"""What a prompt should not carry everywhere: found on this machine, before anything is decided."""
