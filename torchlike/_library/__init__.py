"""What is behind ``torch.library`` and ``torch.ops``: schemas, definitions of operators, and their namespaces."""
