"""Pages and pictures: the HTML report, sheets and turntables of runs, packed datasets and evaluations.

`open.open_gallery` opens any of them as an `items.Gallery`; `page` writes reports, `drawing` pictures.
"""
