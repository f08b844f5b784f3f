//! AMQP 0-9-1 frames: just enough to leave one out. A frame is type (1 byte), channel (2), size (4), payload,
//! 0xCE; a method's payload begins with its class and its number (specification, 2.3.5).

use super::mode::Way;

const HEADER: usize = 7;
const METHOD: u8 = 1;

/// The methods that are eaten: ack and nack of class basic.
const EATEN: [[u8; 4]; 2] = [[0, 60, 0, 80], [0, 60, 0, 120]];

/// The length of what clients say first, which is no frame.
const GREETING: usize = 8;

/// The frames that go one way on one connection.
pub(super) struct Frames {
    buffer: Vec<u8>,
    greeted: bool,
}

impl Frames {
    pub(super) fn new(way: Way) -> Self {
        Self { buffer: Vec::new(), greeted: way == Way::Down }
    }

    /// Adds bytes, and returns the frames that are whole now, without acks when these are eaten.
    pub(super) fn pass(&mut self, bytes: &[u8], eat: bool) -> Vec<u8> {
        self.buffer.extend_from_slice(bytes);
        let mut passed = Vec::with_capacity(self.buffer.len());
        let mut at = 0;
        if !self.greeted && self.buffer.len() >= GREETING {
            passed.extend_from_slice(&self.buffer[..GREETING]);
            (self.greeted, at) = (true, GREETING);
        }
        while self.greeted
            && let Some(length) = length(&self.buffer[at..])
        {
            let frame = &self.buffer[at..at + length];
            if !(eat && is_ack(frame)) {
                passed.extend_from_slice(frame);
            }
            at += length;
        }
        self.buffer.drain(..at);
        passed
    }
}

/// The length of the first frame, when it is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    let size: [u8; 4] = bytes.get(3..HEADER)?.try_into().ok()?;
    let length = HEADER + usize::try_from(u32::from_be_bytes(size)).ok()? + 1;
    (bytes.len() >= length).then_some(length)
}

fn is_ack(frame: &[u8]) -> bool {
    frame[0] == METHOD && EATEN.iter().any(|method| frame[HEADER..].starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(number: u8, rest: &[u8]) -> Vec<u8> {
        let payload = [&[0, 60, 0, number], rest].concat();
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[METHOD, 0, 1], &size[..], &payload, &[0xce]].concat()
    }

    #[test]
    fn acks_are_left_out_wherever_the_bytes_are_split() {
        let (publish, ack) = (method(40, b"key"), method(80, &[0, 0, 0, 0, 0, 0, 0, 1, 0]));
        let bytes = [b"AMQP\x00\x00\x09\x01", &publish[..], &ack, &publish].concat();
        for size in 1..bytes.len() {
            for (eat, expected) in
                [(false, bytes.clone()), (true, [b"AMQP\x00\x00\x09\x01", &publish[..], &publish].concat())]
            {
                let mut frames = Frames::new(Way::Up);
                let passed: Vec<u8> = bytes.chunks(size).flat_map(|piece| frames.pass(piece, eat)).collect();
                assert_eq!(passed, expected, "pieces of {size}");
            }
        }
    }
}
