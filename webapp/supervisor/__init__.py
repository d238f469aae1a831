"""Owns every child process of the studio: where it may look, how long it may live, what it said.

Called by the worker's dispatcher and by jobs. A child is a hostile neighbour: nothing it writes is believed
before it was checked.
"""
