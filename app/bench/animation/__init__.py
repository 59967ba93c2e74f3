"""An animation codec: a still picture of the person, moved by ten key points a frame.

It is the rival that the avatar codec is measured against, of the family of the First Order Motion Model (Siarohin et
al., NeurIPS 2019) and of the Deep Animation Codec (Konuko, Valenzise and Lathuilière, ICASSP 2021; H-DAC, ICIP 2022),
trained on the same footage as the avatar. :func:`app.bench.animation.training.train_animation` makes the network file,
:class:`app.bench.animation.animation_codec.AnimationCodec` codes with it, and ``python -m app.bench.animation`` trains
one from a clip.
"""
