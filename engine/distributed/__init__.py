"""Processes that train one network together: how they are started, watched and started again.

A block asks :func:`engine.distributed.launch.launch` for N processes (*ranks*); each runs one function, named by its
module. PyTorch's elastic agent (what ``torchrun`` is made of) starts them and starts all again when one is lost; this
package adds who was lost and why, what hangs, and the way of rank 0's words to the run. It knows no models.
"""
