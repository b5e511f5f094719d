"""The second workspace: a wholesale bakery in Switzerland. Other words, keys, money and rules than the demo's.

Its definitions are YAML; its lake and its model are made by ``tests.bakery.build``, the same every time.
"""
