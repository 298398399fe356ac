"""Everything of Tapeline that calls AWS; nothing outside this package imports boto3."""
