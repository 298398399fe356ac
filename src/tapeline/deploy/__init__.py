"""How a deployment gets to AWS, is changed there and removed."""
