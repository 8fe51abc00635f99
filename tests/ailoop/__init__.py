"""A stand-in AILoop of both generations, a scripted AI provider, and what drives them."""
