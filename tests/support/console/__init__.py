"""What the tests of the console need: a real browser, footage, and an editor who uses both."""
