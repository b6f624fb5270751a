//! A map of areas: namespaces, in them templates, in them reasons, each as large as what it holds.

use std::cmp::Reverse;

/// One box with what is in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Node {
    pub name: String,
    pub value: u64,
    pub children: Vec<Node>,
    /// Whether this is the sum of several areas that are too small to be shown.
    pub rest: bool,
}

impl Node {
    /// Adds a value at a path of names.
    pub fn add(&mut self, path: &[&str], value: u64) {
        self.value += value;
        let Some((first, path)) = path.split_first() else { return };
        let at = match self.children.iter().rposition(|child| child.name == *first) {
            Some(at) => at,
            None => {
                self.children.push(Self { name: (*first).to_owned(), ..Self::default() });
                self.children.len() - 1
            }
        };
        self.children[at].add(path, value);
    }

    /// Sorts the largest first, keeps as many at each level as `most` says, and sums up the others.
    pub fn prune(&mut self, most: &[usize]) {
        self.children.retain(|child| child.value > 0);
        self.children.sort_by_key(|child| Reverse(child.value));
        let Some((first, most)) = most.split_first() else { return };
        if self.children.len() > *first {
            let rest = self.children.split_off(*first);
            let value = rest.iter().map(|child| child.value).sum();
            let name = if rest.len() == 1 { "1 other".to_owned() } else { format!("{} others", rest.len()) };
            self.children.push(Self { name, value, children: Vec::new(), rest: true });
        }
        self.children.iter_mut().for_each(|child| child.prune(most));
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    /// Returns the rectangle without a margin and without the strip of a title at the top.
    pub fn inner(self, margin: f64, title: f64) -> Self {
        Self {
            x: self.x + margin,
            y: self.y + margin.max(title),
            w: (self.w - 2.0 * margin).max(0.0),
            h: (self.h - margin - margin.max(title)).max(0.0),
        }
    }
}

/// Divides a rectangle by descending weights into boxes that are as square as can be: rows along the shorter
/// side, each filled as long as that makes its boxes squarer (Bruls, Huizing, van Wijk 2000).
pub(crate) fn squarify(weights: &[u64], whole: Rect) -> Vec<Rect> {
    let total: u64 = weights.iter().sum();
    let mut boxes = Vec::with_capacity(weights.len());
    if total == 0 {
        return boxes;
    }
    let scale = whole.w * whole.h / total as f64;
    let areas: Vec<f64> = weights.iter().map(|weight| *weight as f64 * scale).collect();
    let (mut rest, mut left) = (&areas[..], whole);
    while !rest.is_empty() {
        let side = left.w.min(left.h);
        let mut row = 1;
        while row < rest.len() && worst(&rest[..=row], side) <= worst(&rest[..row], side) {
            row += 1;
        }
        let (now, later) = rest.split_at(row);
        let sum: f64 = now.iter().sum();
        let depth = if side > 0.0 { sum / side } else { 0.0 };
        let mut along = 0.0;
        for area in now {
            let length = if depth > 0.0 { area / depth } else { 0.0 };
            boxes.push(match left.w >= left.h {
                true => Rect { x: left.x, y: left.y + along, w: depth, h: length },
                false => Rect { x: left.x + along, y: left.y, w: length, h: depth },
            });
            along += length;
        }
        left = match left.w >= left.h {
            true => Rect { x: left.x + depth, w: (left.w - depth).max(0.0), ..left },
            false => Rect { y: left.y + depth, h: (left.h - depth).max(0.0), ..left },
        };
        rest = later;
    }
    boxes
}

/// Returns the worst aspect ratio among the boxes of a row along a side.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    let (largest, smallest) =
        row.iter().fold((0.0_f64, f64::MAX), |(most, least), area| (most.max(*area), least.min(*area)));
    (side * side * largest / (sum * sum)).max(sum * sum / (side * side * smallest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    #[test]
    fn the_largest_stay_and_the_others_are_summed_up() {
        let mut root = Node::default();
        for (path, value) in
            [(["a", "x"], 5), (["b", "x"], 7), (["c", "x"], 1), (["d", "x"], 2), (["e", "x"], 0)]
        {
            root.add(&path, value);
        }
        root.add(&["b", "y"], 8);
        root.prune(&[2, 1]);
        let names: Vec<(&str, u64)> =
            root.children.iter().map(|child| (child.name.as_str(), child.value)).collect();
        assert_eq!(names, [("b", 15), ("a", 5), ("2 others", 3)]);
        assert_eq!(root.children[0].children[0].name, "y");
        assert_eq!(root.children[0].children[1].name, "1 other");
        assert_eq!(root.value, 23);
    }

    proptest! {
        #[test]
        fn boxes_are_as_large_as_their_weights_and_do_not_overlap(
            weights in proptest::collection::vec(1_u64..1 << 40, 1..40),
        ) {
            let mut weights = weights;
            weights.sort_unstable_by_key(|weight| Reverse(*weight));
            let whole = Rect { x: 3.0, y: 5.0, w: 1200.0, h: 500.0 };
            let boxes = squarify(&weights, whole);
            prop_assert_eq!(boxes.len(), weights.len());
            let total: u64 = weights.iter().sum();
            for (weight, one) in weights.iter().zip(&boxes) {
                let want = *weight as f64 / total as f64 * whole.w * whole.h;
                prop_assert!((one.w * one.h - want).abs() < 1e-3, "{} is not {want}", one.w * one.h);
                prop_assert!(one.x >= whole.x - 1e-6 && one.y >= whole.y - 1e-6);
                prop_assert!(one.x + one.w <= whole.x + whole.w + 1e-6);
                prop_assert!(one.y + one.h <= whole.y + whole.h + 1e-6);
            }
            for (at, a) in boxes.iter().enumerate() {
                for b in &boxes[at + 1..] {
                    let over = |x: f64, w: f64, y: f64, h: f64| (x + w).min(y + h) - x.max(y);
                    prop_assert!(over(a.x, a.w, b.x, b.w) < 1e-6 || over(a.y, a.h, b.y, b.h) < 1e-6);
                }
            }
        }
    }
}
