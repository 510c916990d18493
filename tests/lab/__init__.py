"""Real servers for the tests: hosts in namespaces, with sshd, PostgreSQL and Docker inside."""
