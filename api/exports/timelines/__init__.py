"""Timelines for editing systems: from asked ranges to xmeml, FCPXML, OTIO and EDL.

Rational arithmetic only: a float is made a Fraction where a request is read, and nowhere else.
"""
