"""What only the pages need: figures, checks of exercises, interactive pictures, records."""
