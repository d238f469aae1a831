"""How good a network is: metrics, predictions on held-out data, and the figures made from them."""
