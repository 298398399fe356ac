"""What only `tapeline up` needs: everything on one machine."""
