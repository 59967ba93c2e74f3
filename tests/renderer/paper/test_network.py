"""The paper's network against the same network written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import renderer.paper.network
from renderer.encodings import positional_encoding
from renderer.paper.network import NetworkShape, RadianceNetwork

CONDITION = 7


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer.paper.network, "dense_dtype", lambda device: torch.float32)


def network(shape: NetworkShape | None = None) -> RadianceNetwork:
    torch.manual_seed(0)
    return RadianceNetwork(CONDITION, shape)


def written_out(net: RadianceNetwork, points: Tensor, views: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """NeRF's network on concatenated inputs, point by point."""
    shape = net.shape
    place = torch.cat((positional_encoding(points, shape.octaves), condition.expand(len(points), -1)), -1)
    first = torch.cat((net.layers[0].weight, net.condition_first.weight), 1)
    again = torch.cat((net.layers[shape.skip].weight, net.condition_again.weight), 1)
    hidden = F.relu(F.linear(place, first, net.layers[0].bias))
    for index in range(1, shape.layers):
        layer = net.layers[index]
        if index == shape.skip:
            encoded, driven = place[:, :-CONDITION], place[:, -CONDITION:]
            hidden = F.relu(F.linear(torch.cat((encoded, hidden, driven), -1), again, layer.bias))
        else:
            hidden = F.relu(layer(hidden))
    sigma = F.softplus(4.0 * net.sigma(hidden).squeeze(-1) - 4.0)
    seen = torch.cat((net.feature(hidden), positional_encoding(views, shape.view_octaves)), -1)
    colour = F.relu(F.linear(seen, torch.cat((net.colour.weight, net.view.weight), 1), net.colour.bias))
    return sigma, torch.sigmoid(net.rgb(colour))


@pytest.mark.parametrize("shape", [NetworkShape(), NetworkShape(4, 32, 2, 5, 2)])
def test_it_is_the_network_of_concatenated_inputs(shape: NetworkShape) -> None:
    net = network(shape)
    points, views = torch.rand(6, 5, 3) * 2 - 1, F.normalize(torch.randn(6, 3), dim=-1)
    condition = torch.randn(CONDITION)
    sigma, rgb = net(points, views, condition)
    expected = written_out(net, points.view(-1, 3), views.repeat_interleave(5, 0), condition)
    torch.testing.assert_close(sigma.flatten(), expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rgb.view(-1, 3), expected[1], atol=1e-5, rtol=1e-5)


def test_it_has_the_papers_sizes() -> None:
    net = network()
    assert [(layer.in_features, layer.out_features) for layer in net.layers] == [
        (63, 256), (256, 256), (256, 256), (256, 256), (319, 256), (256, 256), (256, 256), (256, 256),
    ]  # fmt: skip
    assert (net.view.in_features, net.colour.out_features, net.rgb.in_features) == (27, 128, 128)


def test_the_view_changes_the_colour_and_not_the_density() -> None:
    net = network(NetworkShape(4, 32, 2, 5, 2))
    points, condition = torch.rand(3, 4, 3), torch.randn(CONDITION)
    one = net(points, torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3), condition)
    other = net(points, torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3), condition)
    assert torch.equal(one[0], other[0])
    assert (one[1] - other[1]).abs().max() > 1e-3


def test_the_condition_changes_both() -> None:
    net = network(NetworkShape(4, 32, 2, 5, 2))
    points, views = torch.rand(3, 4, 3), F.normalize(torch.randn(3, 3), dim=-1)
    one, other = net(points, views, torch.zeros(CONDITION)), net(points, views, torch.ones(CONDITION))
    assert (one[0] - other[0]).abs().max() > 1e-3
    assert (one[1] - other[1]).abs().max() > 1e-3


def test_expressions_in_new_units_give_the_same() -> None:
    net = network(NetworkShape(4, 32, 2, 5, 2))
    points, views, condition = torch.rand(3, 4, 3), F.normalize(torch.randn(3, 3), dim=-1), torch.randn(CONDITION)
    before = net(points, views, condition)
    shift, scale = torch.randn(4), torch.rand(4) + 0.5
    net.rescale_condition(shift, scale)
    after = net(points, views, torch.cat(((condition[:4] - shift) / scale, condition[4:])))
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("skip", [0, 4])
def test_a_skip_that_is_none_is_refused(skip: int) -> None:
    with pytest.raises(ValueError, match="enters again"):
        RadianceNetwork(CONDITION, NetworkShape(layers=4, skip=skip))
