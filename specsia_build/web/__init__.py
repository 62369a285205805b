"""`specsia web`: a page on which a drawing is dropped and comes back as a film and a character."""
