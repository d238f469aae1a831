"""The compute and algorithm layer of DeepSeek Studio: PyTorch, and nothing of the web."""
