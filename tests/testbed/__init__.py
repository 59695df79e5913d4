"""The test bed: real guests, a real session daemon and real hosts, made for the tests to break."""
