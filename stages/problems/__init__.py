"""Where problems come from: built-in ones, published sets, one's own; gold put to the test."""
