//! Runs a graph that was read, and lets go of each value when nothing needs it any more.

use rayon::prelude::*;

use crate::conv::Conv;
use crate::depthwise::Depthwise;
use crate::pool::{mean, resize_bilinear};
use crate::tensor::Tensor;

/// What a step does with its inputs.
#[derive(Debug)]
pub(crate) enum Op {
    Conv(Conv),
    Depthwise(Depthwise),
    /// Adds two maps; one may be a single pixel or number, which then goes to each pixel.
    Add,
    /// Multiplies two maps, likewise.
    Mul,
    /// At least 0, at most this.
    Clamp(f32),
    /// `x * factor * clamp(x + 3, 0, 6)`.
    HardSwish(f32),
    Sigmoid,
    /// Mean of each channel.
    Mean,
    /// To this height and width.
    Resize(usize, usize),
    /// Puts the channels of maps of one size behind each other.
    Concat,
}

/// What a step works on.
#[derive(Debug)]
pub(crate) enum Operand {
    /// The image (0) or what the n-th step made.
    Place(usize),
    Constant(Tensor),
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Operand>,
}

/// A network as a list of steps.
#[derive(Debug)]
pub(crate) struct Graph {
    steps: Vec<Step>,
    outputs: Vec<usize>,
    /// How often each place is read, outputs included.
    uses: Vec<usize>,
}

/// Maps larger than this are worth several threads.
const PARALLEL: usize = 1 << 15;

impl Graph {
    /// Steps in an order in which each finds its inputs made.
    pub(crate) fn new(steps: Vec<Step>, outputs: Vec<usize>) -> Self {
        let mut uses = vec![0; steps.len() + 1];
        for input in steps.iter().flat_map(|step| &step.inputs) {
            if let Operand::Place(place) = *input {
                uses[place] += 1;
            }
        }
        for &output in &outputs {
            uses[output] += 1;
        }
        Self {
            steps,
            outputs,
            uses,
        }
    }

    /// The outputs for an image, in the order in which they were asked for.
    pub(crate) fn run(&self, image: Tensor) -> Vec<Tensor> {
        let mut values = Values {
            left: self.uses.clone(),
            tensors: vec![Some(image)],
        };
        for step in &self.steps {
            let made = step.run(&mut values);
            values.tensors.push(Some(made));
        }
        self.outputs
            .iter()
            .map(|&place| values.take(place))
            .collect()
    }
}

/// The values that are still needed.
struct Values {
    left: Vec<usize>,
    tensors: Vec<Option<Tensor>>,
}

impl Values {
    /// A value to change: the thing itself if this is its last use, otherwise a copy.
    fn take(&mut self, place: usize) -> Tensor {
        self.left[place] -= 1;
        let slot = &mut self.tensors[place];
        let taken = if self.left[place] == 0 {
            slot.take()
        } else {
            slot.clone()
        };
        taken.unwrap_or_else(|| Tensor::zeros(0, 0, 0))
    }

    /// Looks at a value, and lets go of it after its last use.
    fn read<T>(&mut self, operand: &Operand, look: impl FnOnce(&Tensor) -> T) -> T {
        match operand {
            Operand::Constant(tensor) => look(tensor),
            &Operand::Place(place) => {
                self.left[place] -= 1;
                if self.left[place] == 0 {
                    let last = self.tensors[place].take();
                    look(&last.unwrap_or_else(|| Tensor::zeros(0, 0, 0)))
                } else if let Some(tensor) = &self.tensors[place] {
                    look(tensor)
                } else {
                    look(&Tensor::zeros(0, 0, 0))
                }
            }
        }
    }

    fn own(&mut self, operand: &Operand) -> Tensor {
        match operand {
            Operand::Constant(tensor) => tensor.clone(),
            &Operand::Place(place) => self.take(place),
        }
    }

    fn length(&self, operand: &Operand) -> usize {
        match operand {
            Operand::Constant(tensor) => tensor.data.len(),
            &Operand::Place(place) => self.tensors[place].as_ref().map_or(0, |t| t.data.len()),
        }
    }
}

impl Step {
    fn run(&self, values: &mut Values) -> Tensor {
        let input = &self.inputs[0];
        match &self.op {
            Op::Conv(conv) => values.read(input, |x| conv.run(x)),
            Op::Depthwise(conv) => values.read(input, |x| conv.run(x)),
            Op::Mean => values.read(input, mean),
            Op::Resize(height, width) => {
                values.read(input, |x| resize_bilinear(x, *height, *width))
            }
            Op::Add => self.combine(values, |a, b| a + b),
            Op::Mul => self.combine(values, |a, b| a * b),
            Op::Clamp(top) => map(values.own(input), |x| x.max(0.0).min(*top)),
            Op::HardSwish(factor) => map(values.own(input), |x| {
                x * factor * (x + 3.0).clamp(0.0, 6.0)
            }),
            Op::Sigmoid => map(values.own(input), |x| 1.0 / (1.0 + (-x).exp())),
            Op::Concat => self.concat(values),
        }
    }

    /// Joins two maps number by number; the smaller one is repeated for each pixel.
    fn combine(&self, values: &mut Values, join: impl Fn(f32, f32) -> f32 + Sync) -> Tensor {
        let (mut large, mut small) = (&self.inputs[0], &self.inputs[1]);
        if values.length(large) < values.length(small) {
            std::mem::swap(&mut large, &mut small);
        }
        let mut sum = values.own(large);
        values.read(small, |small| {
            let period = small.data.len().max(1);
            let length = if period == sum.data.len() {
                // Equal shapes: any cut does, as long as both are cut alike.
                sum.data
                    .par_chunks_mut(PARALLEL)
                    .zip(small.data.par_chunks(PARALLEL))
                    .for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, &b)| *a = join(*a, b)));
                return;
            } else {
                period * (PARALLEL / period).max(1)
            };
            sum.data.par_chunks_mut(length).for_each(|chunk| {
                if let &[b] = small.data.as_slice() {
                    chunk.iter_mut().for_each(|a| *a = join(*a, b));
                    return;
                }
                for pixel in chunk.chunks_exact_mut(period) {
                    pixel
                        .iter_mut()
                        .zip(&small.data)
                        .for_each(|(a, &b)| *a = join(*a, b));
                }
            });
        });
        sum
    }

    fn concat(&self, values: &mut Values) -> Tensor {
        let parts: Vec<Tensor> = self.inputs.iter().map(|input| values.own(input)).collect();
        let channels = parts.iter().map(|part| part.channels).sum();
        let mut all = Tensor::zeros(parts[0].height, parts[0].width, channels);
        let mut start = 0;
        for part in &parts {
            let pixels = all.data.chunks_exact_mut(channels);
            for (to, from) in pixels.zip(part.data.chunks_exact(part.channels)) {
                to[start..start + part.channels].copy_from_slice(from);
            }
            start += part.channels;
        }
        all
    }
}

fn map(mut tensor: Tensor, change: impl Fn(f32) -> f32 + Sync) -> Tensor {
    tensor
        .data
        .par_chunks_mut(PARALLEL)
        .for_each(|chunk| chunk.iter_mut().for_each(|value| *value = change(*value)));
    tensor
}
