"""Windows hosts over OpenSSH: how commands are quoted, run and ended there, and files moved."""
