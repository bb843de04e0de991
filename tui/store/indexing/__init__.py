"""Result files become rows: parse them, index them as they grow, and rebuild the index."""
