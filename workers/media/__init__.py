"""Media files opened and decoded: pictures on the grid, single pictures, facts, sound."""
