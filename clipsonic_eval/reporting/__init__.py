"""Tables, figures and words, made from run records and nothing else, so that any report can be remade without a GPU."""
