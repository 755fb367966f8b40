from explorer.family import page

page.show()
