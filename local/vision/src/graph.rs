//! Reads a TensorFlow.js graph model into steps, as far as image networks of plain convolutions
//! need it.

use std::collections::HashMap;

use serde::Deserialize;

use crate::VisionError;
use crate::conv::{Activation, Conv, Padding};
use crate::depthwise::Depthwise;
use crate::run::{Graph, Op, Operand, Step};
use crate::tensor::Tensor;
use crate::weights::{Group, Weights};

/// The file as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    model_topology: Topology,
    weights_manifest: Vec<Group>,
}

#[derive(Deserialize)]
struct Topology {
    node: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    name: String,
    op: String,
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    attr: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    strides: Attribute,
    padding: Attribute,
    fused_ops: Attribute,
}

/// TensorFlow writes a list in `list` and a string in `s`, as base64.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    s: String,
    list: List,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    i: Vec<String>,
    s: Vec<String>,
}

/// The base64 of the strings that occur in attributes.
const SAME: &str = "U0FNRQ==";
const VALID: &str = "VkFMSUQ=";
const BIAS_ADD: &str = "Qmlhc0FkZA==";
const RELU: &str = "UmVsdQ==";

/// Reads `model` (JSON) and its weights; the graph will compute the nodes called `outputs`.
pub(crate) fn read(
    name: &'static str,
    model: &[u8],
    binary: &[u8],
    outputs: &[&str],
) -> Result<Graph, VisionError> {
    let file: File = serde_json::from_slice(model).map_err(|e| VisionError::Weights {
        model: name,
        reason: e.to_string(),
    })?;
    let weights = Weights::from_groups(name, file.weights_manifest, binary)?;
    let nodes = file
        .model_topology
        .node
        .iter()
        .map(|node| (node.name.as_str(), node))
        .collect();
    let mut builder = Builder {
        nodes,
        weights,
        places: HashMap::new(),
        steps: Vec::new(),
    };
    // Place 0 is the image.
    let places = outputs
        .iter()
        .map(|output| builder.visit(output))
        .collect::<Result<_, _>>()?;
    Ok(Graph::new(builder.steps, places))
}

struct Builder<'a> {
    nodes: HashMap<&'a str, &'a Node>,
    weights: Weights,
    /// Which value each node that was visited makes.
    places: HashMap<&'a str, usize>,
    steps: Vec<Step>,
}

impl<'a> Builder<'a> {
    /// Adds the steps that compute a node, its inputs' first, and answers the place of its value.
    fn visit(&mut self, name: &str) -> Result<usize, VisionError> {
        let Some(&node) = self.nodes.get(name) else {
            return Err(self
                .weights
                .invalid(format!("the graph has no node {name}")));
        };
        if let Some(&place) = self.places.get(name) {
            return Ok(place);
        }
        let place = match node.op.as_str() {
            "Placeholder" => 0,
            "Identity" => self.visit(self.input(node, 0)?)?,
            _ => {
                let (op, inputs) = self.step(node)?;
                self.steps.push(Step { op, inputs });
                self.steps.len()
            }
        };
        self.places.insert(&node.name, place);
        Ok(place)
    }

    fn step(&mut self, node: &'a Node) -> Result<(Op, Vec<Operand>), VisionError> {
        let op = match node.op.as_str() {
            "_FusedConv2D" | "Conv2D" => Op::Conv(self.conv(node)?),
            "FusedDepthwiseConv2dNative" | "DepthwiseConv2dNative" => {
                Op::Depthwise(self.depthwise(node)?)
            }
            "Mul" => match self.hard_swish(node)? {
                Some((factor, input)) => {
                    let input = Operand::Place(self.visit(input)?);
                    return Ok((Op::HardSwish(factor), vec![input]));
                }
                None => return Ok((Op::Mul, self.operands(node, 2)?)),
            },
            "Add" | "AddV2" => return Ok((Op::Add, self.operands(node, 2)?)),
            "Relu" => Op::Clamp(f32::INFINITY),
            "Relu6" => Op::Clamp(6.0),
            "Sigmoid" => Op::Sigmoid,
            "Mean" => {
                let axes = self.constant(node, 1)?;
                if axes.data != [1.0, 2.0] {
                    return Err(self
                        .weights
                        .invalid(format!("{} is no spatial mean", node.name)));
                }
                Op::Mean
            }
            "ResizeBilinear" => {
                let size = self.constant(node, 1)?;
                let &[height, width] = size.data.as_slice() else {
                    return Err(self.weights.invalid(format!("{} has no size", node.name)));
                };
                Op::Resize(height as usize, width as usize)
            }
            "ConcatV2" => return Ok((Op::Concat, self.operands(node, node.input.len() - 1)?)),
            other => {
                return Err(self
                    .weights
                    .invalid(format!("{} is {other}: unknown", node.name)));
            }
        };
        Ok((op, vec![Operand::Place(self.visit(self.input(node, 0)?)?)]))
    }

    /// The name of a node's input.
    fn input(&self, node: &'a Node, index: usize) -> Result<&'a str, VisionError> {
        node.input.get(index).map(String::as_str).ok_or_else(|| {
            self.weights
                .invalid(format!("{} lacks an input", node.name))
        })
    }

    fn is_constant(&self, name: &str) -> bool {
        self.nodes.get(name).is_some_and(|node| node.op == "Const")
    }

    fn operands(&mut self, node: &'a Node, count: usize) -> Result<Vec<Operand>, VisionError> {
        (0..count)
            .map(|i| {
                let name = self.input(node, i)?;
                if self.is_constant(name) {
                    return Ok(Operand::Constant(self.constant(node, i)?));
                }
                Ok(Operand::Place(self.visit(name)?))
            })
            .collect()
    }

    /// A constant input, as a map of one pixel.
    fn constant(&mut self, node: &'a Node, index: usize) -> Result<Tensor, VisionError> {
        let name = self.input(node, index)?;
        let data = self.weights.take(name)?.values;
        Ok(Tensor {
            height: 1,
            width: 1,
            channels: data.len(),
            data,
        })
    }

    /// Recognises `(x * factor) * relu6(x + 3)`: one pass over a large map in place of four.
    /// Answers the factor and the name of x.
    fn hard_swish(&mut self, node: &'a Node) -> Result<Option<(f32, &'a str)>, VisionError> {
        let find = |name: &str, op: &str| self.nodes.get(name).copied().filter(|n| n.op == op);
        let [scaled, clamped] = node.input.as_slice() else {
            return Ok(None);
        };
        let Some((scaled, clamped)) = find(scaled, "Mul").zip(find(clamped, "Relu6")) else {
            return Ok(None);
        };
        let Some(shifted) = clamped.input.first().and_then(|name| find(name, "Add")) else {
            return Ok(None);
        };
        let ([factor, x], [y, shift]) = (scaled.input.as_slice(), shifted.input.as_slice()) else {
            return Ok(None);
        };
        if x != y || !self.is_constant(factor) || !self.is_constant(shift) {
            return Ok(None);
        }
        let (factor, shift) = (self.constant(scaled, 0)?, self.constant(shifted, 1)?);
        match (factor.data.as_slice(), shift.data.as_slice()) {
            (&[factor], &[3.0]) => Ok(Some((factor, x))),
            _ => Err(self
                .weights
                .invalid(format!("{} is an unknown curve", node.name))),
        }
    }

    fn conv(&mut self, node: &'a Node) -> Result<Conv, VisionError> {
        let weight = self.weights.take(self.input(node, 1)?)?;
        let (bias, activation) = self.fused(node)?;
        let bias = bias.unwrap_or_else(|| vec![0.0; weight.shape.last().copied().unwrap_or(0)]);
        let padding = match node.attr.padding.s.as_str() {
            SAME => Padding::Same,
            VALID => Padding::Valid,
            other => return Err(self.weights.invalid(format!("{} pads {other}", node.name))),
        };
        let step = (self.stride(node)?, padding);
        Conv::new(&self.weights, weight, bias, step, activation)
    }

    fn depthwise(&mut self, node: &'a Node) -> Result<Depthwise, VisionError> {
        if node.attr.padding.s != SAME {
            return Err(self
                .weights
                .invalid(format!("{} is depthwise without SAME", node.name)));
        }
        let weight = self.weights.take(self.input(node, 1)?)?;
        let (bias, activation) = self.fused(node)?;
        Depthwise::new(&self.weights, weight, bias, self.stride(node)?, activation)
    }

    /// The bias and the activation that a convolution has taken in.
    fn fused(&mut self, node: &'a Node) -> Result<(Option<Vec<f32>>, Activation), VisionError> {
        let fused: Vec<&str> = node
            .attr
            .fused_ops
            .list
            .s
            .iter()
            .map(String::as_str)
            .collect();
        let activation = match fused.as_slice() {
            [] => return Ok((None, Activation::Linear)),
            [BIAS_ADD] => Activation::Linear,
            [BIAS_ADD, RELU] => Activation::Relu,
            other => {
                return Err(self
                    .weights
                    .invalid(format!("{} fuses {other:?}", node.name)));
            }
        };
        Ok((
            Some(self.weights.take(self.input(node, 2)?)?.values),
            activation,
        ))
    }

    fn stride(&self, node: &Node) -> Result<usize, VisionError> {
        match node.attr.strides.list.i.as_slice() {
            [_, down, across, _] if down == across => down.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| {
            self.weights
                .invalid(format!("{} has unequal strides", node.name))
        })
    }
}
