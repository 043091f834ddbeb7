"""Loop expressions as GLSL ES 3.00: how arrays lie in textures, and the shaders that compute them."""
