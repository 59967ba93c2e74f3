"""Pictures from clips and cameras."""
