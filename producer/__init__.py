"""The producer: gets quotes from a source and puts them on the stream."""
