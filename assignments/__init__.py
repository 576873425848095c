"""Problem sets: instructor's sources, and what releases and grades them (not part of the wheel)."""
