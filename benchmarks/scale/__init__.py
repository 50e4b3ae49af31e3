"""What everything takes as a folder grows from 1 hour of footage to 1,000: see __main__.py."""
