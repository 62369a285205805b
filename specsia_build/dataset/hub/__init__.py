"""Publishing on the Hub: `local` reads what is to be sent, `push` plans, sends, compares and tags."""
