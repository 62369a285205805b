"""The layout `pairs`: rows of Parquet shards, with a card that loads on the Hugging Face Hub."""
