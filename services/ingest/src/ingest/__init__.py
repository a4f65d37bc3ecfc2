"""How orders enter, from every channel, and where their timeline is kept."""
