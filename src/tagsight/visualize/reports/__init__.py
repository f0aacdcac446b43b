"""Reports as HTML: one file each, which loads nothing and is readable without JavaScript.

`elements` writes HTML, `page` makes a page of sections, `pictures` embeds photos within a budget.
"""
