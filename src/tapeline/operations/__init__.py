"""How the pipeline does, and how it is put right."""
