# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A person's word: harmonizing with points
#
# The network says what a composite lacks; a person says what it got wrong. This notebook does both
# with the Python API on one of the package's own photographs. `jupytext --to ipynb
# examples/guided_points.py` makes a notebook of this text; Jupyter with jupytext opens it as it is.

# %%
from importlib import resources
from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np
from IPython.display import Image, display

import vhmae

photographs = Path(str(resources.files("vhmae") / "assets" / "demo"))


def show(*pictures):
    """Show pictures (H, W, 3), RGB in 0-255, side by side."""
    row = np.hstack([picture[..., ::-1] for picture in pictures])
    display(Image(data=cv2.imencode(".png", row)[1].tobytes()))


# %% [markdown]
# ## A composite
#
# A cat before a cup of coffee. The mask is the cat's matte: white where the foreground is, and soft
# at its edge.

# %%
size = (300, 200)
cat = cv2.resize(cv2.imread(str(photographs / "photographs" / "chelsea.png")), size)[..., ::-1]
matte = cv2.resize(cv2.imread(str(photographs / "chelsea.png"), cv2.IMREAD_GRAYSCALE), size)
coffee = cv2.resize(cv2.imread(str(photographs / "photographs" / "coffee.png")), size)[..., ::-1]

share = matte[..., None] / 255.0
composite = np.rint(share * cat + (1.0 - share) * coffee).astype(np.uint8)
show(composite, np.dstack([matte] * 3))

# %% [markdown]
# ## What the network says
#
# A stream of frames goes through `step`; with `lookahead=0` each frame leaves at once. A still is a
# stream of one frame. The weights `free` may be used for anything; `default` is for research.

# %%
harmonizer = vhmae.Harmonizer.from_pretrained("free", lookahead=0)
answer = harmonizer.step(composite, matte)
harmonizer.flush()
show(composite, answer)

assert np.array_equal(answer[matte == 0], composite[matte == 0])  # the background is untouched

# %% [markdown]
# ## What a person says
#
# A point names a place of the foreground, in pixels from the top left, and what it should become:
# another place of the picture (`match`), a color (`target`), gray (`neutral`), as it came (`keep`),
# so many stops brighter (`brightness`). Here the cat's fur at one place is to have a warmer color.

# %%
x, y = 150, 110
assert matte[y, x] == 255
wanted = (0.78, 0.60, 0.44)
guide = vhmae.Guide(points=(vhmae.Point(kind="target", at=(x, y), to=wanted),))

harmonizer.guide(guide)
guided = harmonizer.step(composite, matte)
harmonizer.flush()
show(answer, guided)

# %% [markdown]
# A point is not a stamp: the whole foreground moves with it, by the change that is likeliest for
# what was asked. How near it came, over the little disk that a point reads:


# %%
def color_at(picture):
    return picture[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1)) / 255.0


asked = np.array(wanted)
before, after = (float(np.abs(color_at(one) - asked).mean() * 255) for one in (answer, guided))
print(f"from what was asked: {before:.1f} levels without the point, {after:.1f} with it")
assert after < before / 2

# %% [markdown]
# ## Dials
#
# Six words of a compositor turn the answer in linear light. They may stand beside points.

# %%
harmonizer.guide(vhmae.Guide(points=guide.points, dials=vhmae.Dials(exposure=-0.7)))
darker = harmonizer.step(composite, matte)
harmonizer.flush()
show(guided, darker)
assert darker[matte == 255].mean() < guided[matte == 255].mean()

# %% [markdown]
# ## Files
#
# A guide is a small JSON file; `vhmae harmonize --guide FILE` and `harmonize_video` take it. The
# report says for each point what was asked and what came out.

# %%
folder = Path(mkdtemp())
cv2.imwrite(str(folder / "composite.png"), composite[..., ::-1])
cv2.imwrite(str(folder / "mask.png"), matte)
guide.write(folder / "guide.json")
report = vhmae.harmonize_video(
    folder / "composite.png",
    folder / "harmonized.png",
    mask=folder / "mask.png",
    guide=folder / "guide.json",
    weights="free",
)
print(report["frames"], "frame; points:", report["guide"]["points"])
assert (folder / "harmonized.png").exists()
