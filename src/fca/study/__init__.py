"""The human study of section C.2: a page on which people rate predictions, and Figure 9 from their ratings."""
