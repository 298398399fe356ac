"""The rules of quotes and markets, without input or output."""
