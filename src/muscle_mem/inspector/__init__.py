"""Inspector: pages in the browser that show a store, for `muscle-mem inspect`.

Nothing imports it but that command. It needs the extra `inspector`.
"""
