//! Frames over a Unix socket, with open files: how a worker, its guardian and its keepers talk.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as Socket;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// The length of a header: that of the body, and how many files come with it.
const HEADER_BYTES: usize = 5;
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
/// How many files may come with one message.
const FILES_LIMIT: usize = 2;

/// One end of a conversation.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    buffer: Vec<u8>,
    files: VecDeque<OwnedFd>,
}

/// One message: its body, and the files that come with it.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) body: Vec<u8>,
    pub(super) files: Vec<OwnedFd>,
}

impl Wire {
    /// Takes one end of a pair of sockets.
    pub(super) fn new(socket: impl Into<Socket>) -> io::Result<Self> {
        let socket = socket.into();
        socket.set_nonblocking(true)?;
        Ok(Self { stream: UnixStream::from_std(socket)?, buffer: Vec::new(), files: VecDeque::new() })
    }

    /// Sends one message. When this is dropped in between, the conversation is over.
    pub(super) async fn send(&mut self, body: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut frame = header(body.len(), files.len())?.to_vec();
        frame.extend_from_slice(body);
        let sent = self.stream.async_io(Interest::WRITABLE, || pass(&self.stream, &frame, files)).await?;
        self.stream.write_all(frame.get(sent..).unwrap_or_default()).await
    }

    /// Receives the next message; `None` when the other side is gone. It can be dropped and called again without a
    /// loss.
    pub(super) async fn receive(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            let (buffer, files) = (&mut self.buffer, &mut self.files);
            let stream = &self.stream;
            if stream.async_io(Interest::READABLE, || take_in(stream, buffer, files)).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Whether the other side is known to be gone. Asked where it has nothing to say.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Takes a message that has arrived whole out of the buffer.
    fn take(&mut self) -> io::Result<Option<Frame>> {
        let Some(&[a, b, c, d, files]) = self.buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let end = HEADER_BYTES + u32::from_le_bytes([a, b, c, d]) as usize;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let files = usize::from(files);
        if self.files.len() < files {
            return Err(io::Error::new(ErrorKind::InvalidData, "the files of a frame are missing"));
        }
        let body = self.buffer[HEADER_BYTES..end].to_vec();
        self.buffer.drain(..end);
        Ok(Some(Frame { body, files: self.files.drain(..files).collect() }))
    }
}

/// Sends nothing but a file, without waiting.
pub(super) fn send_file(socket: &Socket, file: BorrowedFd<'_>) -> io::Result<()> {
    let header = header(0, 1)?;
    match pass(socket, &header, &[file])? {
        HEADER_BYTES => Ok(()),
        _ => Err(ErrorKind::WriteZero.into()),
    }
}

/// The header of a message.
fn header(length: usize, files: usize) -> io::Result<[u8; HEADER_BYTES]> {
    let length = u32::try_from(length).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let files = u8::try_from(files).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let [a, b, c, d] = length.to_le_bytes();
    Ok([a, b, c, d, files])
}

/// Sends bytes and files in one call of the system, and answers how many bytes it took.
fn pass(socket: impl AsFd, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_LIMIT))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Receives bytes and files in one call of the system, and answers how many bytes came.
fn take_in(socket: impl AsFd, buffer: &mut Vec<u8>, files: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_LIMIT))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; READ_BYTES];
    let received =
        recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            files.extend(received);
        }
    }
    buffer.extend_from_slice(&bytes[..received.bytes]);
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};

    use super::*;

    #[tokio::test]
    async fn what_is_larger_than_the_socket_arrives_whole_and_with_its_files() {
        let (here, there) = Socket::pair().unwrap();
        let (mut here, mut there) = (Wire::new(here).unwrap(), Wire::new(there).unwrap());
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let (mut reader, writer) = pipe().unwrap();
        let sent = async {
            here.send(&body, &[writer.as_fd()]).await.unwrap();
            here.send(b"", &[]).await.unwrap();
        };
        let (frame, ()) = tokio::join!(there.receive(), sent);
        let mut frame = frame.unwrap().unwrap();
        assert!(frame.body == body);
        drop(writer);
        let mut file = std::io::PipeWriter::from(frame.files.remove(0));
        file.write_all(b"through").unwrap();
        drop(file);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert_eq!(there.receive().await.unwrap().unwrap().body, b"");
        assert!(!there.has_ended());
        drop(here);
        assert!(there.receive().await.unwrap().is_none());
        assert!(there.has_ended());
    }
}
